package engine

import "golang.org/x/sys/unix"

type affinity struct{ set unix.CPUSet }

type pinState struct{}

func (p *pinState) crowd(*Engine)                        {}
func (p *pinState) forget(*Thread)                       {}
func (p *pinState) changed(*Engine)                      {}
func (p *pinState) count(*Engine, *Thread)               {}
func (p *pinState) entry(*Engine, *Thread, *callNumbers) {}
func (p *pinState) exit(*Engine, *Thread)                {}
func (p *pinState) restore(*Thread)                      {}
func (e *Engine) unpin()                                 {}
