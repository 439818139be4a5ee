package input

// JSON reads one JSON value as strictly as [DecodeJSON], from wherever it came. Its errors are those of the body alone.
func JSON[T any](body []byte) (T, error) {
	var out, none T
	if err := unmarshal(body, &out); err != nil {
		return none, err
	}
	return out, nil
}
