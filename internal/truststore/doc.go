// Package truststore shows what a trust store holds, and adds to one: all of what
// is added or nothing, and only where the store as a whole can be used afterwards.
//
// It takes nothing out of a store, changes no file in it, and judges nobody.
package truststore
