package strictyaml

import "go.yaml.in/yaml/v3"

// The functions of this file read a tree that was found to be in order before: what
// is not there is nil, empty or "", and nothing is reported.

// Value returns the value of a key of a mapping.
func Value(n *yaml.Node, key string) *yaml.Node {
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// Keys returns the keys of a mapping.
func Keys(n *yaml.Node) []*yaml.Node {
	var keys []*yaml.Node
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			keys = append(keys, n.Content[i])
		}
	}
	return keys
}

// Contents returns the entries of a list.
func Contents(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// Scalar returns what a scalar says.
func Scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
