package hosted_test

import (
	"os"
	"path/filepath"
	"reflect"
	"text/template/parse"
)

// parseTemplates returns the template trees by name; the functions are those of
// package html/template that the pages may use.
func parseTemplates(pattern string) (map[string]*parse.Tree, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	trees := map[string]*parse.Tree{}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		tree := parse.New(name)
		tree.Mode = parse.SkipFuncCheck
		_, err = tree.Parse(string(raw), "", "", trees)
		if err != nil {
			return nil, err
		}
	}
	return trees, nil
}

// walkTemplate calls f with a node and all that is in it.
func walkTemplate(n parse.Node, f func(parse.Node)) {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return
	}
	f(n)
	switch n := n.(type) {
	case *parse.ListNode:
		for _, inner := range n.Nodes {
			walkTemplate(inner, f)
		}
	case *parse.ActionNode:
		walkTemplate(n.Pipe, f)
	case *parse.TemplateNode:
		walkTemplate(n.Pipe, f)
	case *parse.PipeNode:
		for _, inner := range n.Cmds {
			walkTemplate(inner, f)
		}
	case *parse.CommandNode:
		for _, inner := range n.Args {
			walkTemplate(inner, f)
		}
	case *parse.IfNode:
		walkBranch(&n.BranchNode, f)
	case *parse.RangeNode:
		walkBranch(&n.BranchNode, f)
	case *parse.WithNode:
		walkBranch(&n.BranchNode, f)
	}
}

func walkBranch(n *parse.BranchNode, f func(parse.Node)) {
	walkTemplate(n.Pipe, f)
	walkTemplate(n.List, f)
	walkTemplate(n.ElseList, f)
}
