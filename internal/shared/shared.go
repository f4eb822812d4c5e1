// Package shared makes several instances of one component share what they do. The
// collector builds an instance for each pipeline and signal that names a component
// id, and gives all of them the same configuration: its address is the identity. A
// configuration that is read anew has another one.
package shared

import "sync"

// Set holds what instances share, by key. The zero value is an empty one. It is
// safe for concurrent use.
type Set[K comparable, T any] struct {
	mu      sync.Mutex
	members map[K]*member[T]
}

// member is what the leases of a key share.
type member[T any] struct {
	value T

	// mu is held while the value is started and stopped, so that no lease is
	// started before the value is.
	mu      sync.Mutex
	started int // leases that are
}

// Lease is one instance's share. Start and Stop may be called at once and
// repeatedly.
type Lease[T any] struct {
	// Value is what is shared.
	Value T

	of     *member[T]
	forget func()
	// Guarded by of.mu.
	active, stopped bool
}

// Lease returns a share of what the key stands for, which is built if there is
// none yet.
func (s *Set[K, T]) Lease(key K, build func() (T, error)) (*Lease[T], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.members[key]
	if !ok {
		value, err := build()
		if err != nil {
			return nil, err
		}
		m = &member[T]{value: value}
		if s.members == nil {
			s.members = map[K]*member[T]{}
		}
		s.members[key] = m
	}
	return &Lease[T]{Value: m.value, of: m, forget: func() { s.forget(key, m) }}, nil
}

// forget makes the next lease of the key build another value.
func (s *Set[K, T]) forget(key K, m *member[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members[key] == m {
		delete(s.members, key)
	}
}

// Find returns what the key stands for, if there is a lease of it.
func (s *Set[K, T]) Find(key K) (value T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.members[key]
	if ok {
		value = m.value
	}
	return value, ok
}

// Start calls start with the first of the leases. When that fails, the lease is
// not started, and the next one tries again. A lease that is started already does
// nothing.
func (l *Lease[T]) Start(start func(T) error) error {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.active {
		return nil
	}
	if l.of.started == 0 {
		if err := start(l.Value); err != nil {
			return err
		}
	}
	l.of.started++
	l.active = true
	return nil
}

// Stop calls stop with the last of the leases that are started. A lease that never
// was started stops what nobody uses, so stop must bear that nothing was started,
// and to be called more than once. A lease that is stopped already does nothing.
func (l *Lease[T]) Stop(stop func(T) error) error {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.stopped {
		return nil
	}
	l.stopped = true
	if l.active {
		l.active = false
		l.of.started--
	}
	if l.of.started > 0 {
		return nil
	}
	l.forget()
	return stop(l.Value)
}
