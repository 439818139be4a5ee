package sanitize

import (
	"bytes"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

const (
	maxMarkdownDepth = 16  // of quotes, lists and items, each in the other
	maxMarks         = 500 // of emphasis, links and code, in one paragraph
	maxTicks         = 16  // in a row that begins code
	maxDefinitions   = 100 // lines of a paragraph that defines the targets of links

	// maxNestedLines is of the document, where a line counts once for each quote, list and item, deeper than flatDepth, that
	// goes on in it. Later ones nest as deep as flatDepth.
	maxNestedLines = 200_000
	flatDepth      = 3
)

// convert turns markdown into HTML. What it gives is not trusted: [HTML] sees it next.
func convert(in string) string {
	var out bytes.Buffer
	pc := &thrifty{Context: parser.NewContext(), copies: MaxBytes, lines: maxNestedLines}
	if err := markdown().Convert([]byte(in), &out, parser.WithContext(pc)); err != nil {
		return "" // cannot happen: a Buffer takes everything
	}
	return out.String()
}

var markdown = sync.OnceValue(newMarkdown)

// newMarkdown is CommonMark without HTML. Parsers that keep a state for each open quote, or for each mark that waits for
// its partner, are bounded: their time would grow with the square of the input.
func newMarkdown() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithParser(parser.NewParser(
			parser.WithBlockParsers(
				util.Prioritized(parser.NewSetextHeadingParser(), 100),
				util.Prioritized(parser.NewThematicBreakParser(), 200),
				util.Prioritized(shallow{parser.NewListParser()}, 300),
				util.Prioritized(shallow{parser.NewListItemParser()}, 400),
				util.Prioritized(parser.NewCodeBlockParser(), 500),
				util.Prioritized(parser.NewATXHeadingParser(), 600),
				util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
				util.Prioritized(shallow{parser.NewBlockquoteParser()}, 800),
				util.Prioritized(parser.NewParagraphParser(), 1000),
			),
			parser.WithInlineParsers(
				util.Prioritized(ticks{few{parser.NewCodeSpanParser()}}, 100),
				util.Prioritized(few{parser.NewLinkParser()}, 200),
				util.Prioritized(few{parser.NewAutoLinkParser()}, 300),
				util.Prioritized(few{parser.NewEmphasisParser()}, 500),
			),
			parser.WithParagraphTransformers(util.Prioritized(brief{parser.LinkReferenceParagraphTransformer}, 100)),
		)),
		goldmark.WithRenderer(renderer.NewRenderer(renderer.WithNodeRenderers(
			util.Prioritized(words{}, 100),
			util.Prioritized(html.NewRenderer(), 1000),
		))),
	)
}

// shallow is a parser of blocks that hold blocks, up to a depth, and less deep once many lines were nested. What lies deeper
// is text. For each line, goldmark keeps a note about each block that is open, and an empty line needs a single byte.
type shallow struct{ parser.BlockParser }

// Open begins a block.
func (s shallow) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	limit := maxMarkdownDepth
	if pc.(*thrifty).lines <= 0 {
		limit = flatDepth
	}
	if depth(parent) >= limit {
		return nil, parser.NoChildren
	}
	return s.BlockParser.Open(parent, reader, pc)
}

// Continue asks whether a line belongs to a block that is open. After too many lines all are closed together, from the
// outermost, since a list must not lose its item alone.
func (s shallow) Continue(node ast.Node, reader text.Reader, pc parser.Context) parser.State {
	budget := pc.(*thrifty)
	switch at := depth(node); {
	case at > flatDepth:
		budget.lines--
	case at == 1 && budget.lines <= 0 && !budget.flat:
		budget.flat = true
		return parser.Close
	}
	return s.BlockParser.Continue(node, reader, pc)
}

// depth is how many blocks hold the block; none holds the document.
func depth(node ast.Node) (blocks int) {
	for node = node.Parent(); node != nil; node = node.Parent() {
		blocks++
	}
	return blocks
}

// few is a parser of marks in running text that reads a number of them in a paragraph. More are text.
type few struct{ parser.InlineParser }

// Parse reads a mark.
func (f few) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	if !pc.(*thrifty).mark(parent) {
		return nil
	}
	return f.InlineParser.Parse(parent, block, pc)
}

// CloseBlock tells a parser that keeps marks for later that the paragraph ends.
func (f few) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	if closer, ok := f.InlineParser.(parser.CloseBlocker); ok {
		closer.CloseBlock(parent, block, pc)
	}
}

// ticks is a parser of code that reads short rows of ticks alone. For a row without a partner it looks through the rest of
// the paragraph, so there must be few lengths.
type ticks struct{ parser.InlineParser }

// Parse reads code.
func (c ticks) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	row := len(line) - len(bytes.TrimLeft(line, "`"))
	if row <= maxTicks {
		return c.InlineParser.Parse(parent, block, pc)
	}
	block.Advance(row)
	return ast.NewTextSegment(segment.WithStop(segment.Start + row))
}

// brief looks for definitions of links at the head of a paragraph, unless that is long.
type brief struct{ parser.ParagraphTransformer }

// Transform takes the definitions out.
func (b brief) Transform(paragraph *ast.Paragraph, reader text.Reader, pc parser.Context) {
	if paragraph.Lines().Len() <= maxDefinitions {
		b.ParagraphTransformer.Transform(paragraph, reader, pc)
	}
}

// words renders a picture as the words that describe it.
type words struct{}

// RegisterFuncs is called by goldmark.
func (words) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindImage, func(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
		return ast.WalkContinue, nil
	})
}

// thrifty is a parse with bounds. What links copy from definitions is one: each of a hundred thousand short links can name
// the same long target. What is left out would be cut off the result anyway, and stays as it was typed.
type thrifty struct {
	parser.Context
	copies int  // bytes that links may still copy
	lines  int  // of maxNestedLines, those that are left
	flat   bool // none was left, and what was open is closed

	paragraph ast.Node // the one that is read
	marks     int      // that it had so far
}

// Reference looks for a definition.
func (t *thrifty) Reference(label string) (parser.Reference, bool) {
	found, ok := t.Context.Reference(label)
	if !ok || len(found.Destination())+len(found.Title()) > t.copies {
		return nil, false
	}
	t.copies -= len(found.Destination()) + len(found.Title())
	return found, true
}

// mark counts a mark. It reports false if the paragraph had enough.
func (t *thrifty) mark(paragraph ast.Node) bool {
	if t.paragraph != paragraph {
		t.paragraph, t.marks = paragraph, 0
	}
	t.marks++
	return t.marks <= maxMarks
}
