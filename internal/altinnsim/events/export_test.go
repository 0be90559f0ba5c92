package events

// Waiting is how many pushes and validations wait for their time while none runs; -1 while one does.
func (s *Service) Waiting() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if s.queue.inFlight > 0 {
		return -1
	}
	return len(s.queue.tasks)
}

// Due is how many pushes and validations run or should.
func (s *Service) Due() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	out := s.queue.inFlight
	for _, t := range s.queue.tasks {
		if !t.due.After(s.queue.now()) {
			out++
		}
	}
	return out
}
