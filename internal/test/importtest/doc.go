// Package importtest builds what the README shows of importing the module, as somebody else would: in a module of its own.
package importtest
