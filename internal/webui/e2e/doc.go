// Package e2e tests the page of the query interface in a real browser: the real
// query extension over the real embedded store, and a headless Chromium. It
// holds tests only; they skip, and say so, where no browser is found.
package e2e
