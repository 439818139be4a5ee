package app

// unsafeAnywhere believes that an address leads to a page of ours.
func unsafeAnywhere(to string) string { return to }

// unsafePageOf sends people to whatever the address says.
func unsafePageOf(to string) (string, error) {
	if to == "" {
		return "", errMissing
	}
	return to, nil
}
