package password

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"
)

const (
	calibrateRounds   = 8
	calibrateStepKiB  = 1024
	calibrateNear     = 0.05 // of the target: near enough to stop
	leastTarget       = 20 * time.Millisecond
	mostTarget        = time.Second
	fallbackSlotBytes = defaultSlotBytes // where the memory of the machine is not known
)

// ErrSlow says that the least cost that is allowed takes longer than the target.
var ErrSlow = errors.New("this machine takes longer than that for the least cost that is allowed")

// SlotMemory is how many bytes each of so many slots may take: a quarter of the memory that the process may use, shared among them, at
// most what a hash may have.
func SlotMemory(slots int) int64 {
	return readMachine().slotMemory(slots)
}

func (m machine) slotMemory(slots int) int64 {
	if m.memory == 0 {
		return fallbackSlotBytes
	}
	return min(max(m.memory/memoryFraction/int64(max(slots, 1)), floorMemoryKiB<<10), maxMemoryKiB<<10)
}

// Calibrate finds parameters of one lane with which a hash takes about the target, 20 ms to a second: as much memory as slotBytes allow, then
// passes, never below the floor. Measure says what a hash of some parameters costs, such as [Measure]; it is called up to eight times. What is
// returned was measured last. Errors: that of measure, a target out of bounds, and [ErrSlow], with the floor and its time.
func Calibrate(ctx context.Context, target time.Duration, slotBytes int64, measure func(context.Context, Params) (time.Duration, error)) (Params, time.Duration, error) {
	if target < leastTarget || target > mostTarget {
		return Params{}, 0, fmt.Errorf("the target is %s: take %s to %s", target, leastTarget, mostTarget)
	}
	floor := Params{MemoryKiB: floorMemoryKiB, Time: floorTime, Parallelism: 1}
	params, best, bestTook := floor, floor, time.Duration(0)
	for round := range calibrateRounds {
		took, err := measure(ctx, params)
		if err != nil {
			return Params{}, 0, err
		}
		took = max(took, 1)
		if round == 0 || distance(took, target) < distance(bestTook, target) {
			best, bestTook = params, took
		}
		if params == floor && took > target+time.Duration(float64(target)*calibrateNear) {
			return floor, took, ErrSlow
		}
		next := step(params, took, target, slotBytes)
		if distance(took, target) <= calibrateNear || next == params {
			break
		}
		params = next
	}
	return best, bestTook, nil
}

func distance(took, target time.Duration) float64 {
	return math.Abs(float64(took)/float64(target) - 1)
}

// step is what should take the target, if time goes with work.
func step(params Params, took, target time.Duration, slotBytes int64) Params {
	most := uint64(min(max(slotBytes>>10, floorMemoryKiB), maxMemoryKiB)) // #nosec G115 -- not negative
	work := float64(params.work()) * float64(target) / float64(took)
	work = min(max(work, floorMemoryKiB*floorTime), maxWorkKiB)
	passes := max(uint64(math.Ceil(work/float64(most))), floorTime)
	memory := uint64(work/float64(passes)) / calibrateStepKiB * calibrateStepKiB
	memory = min(max(memory, floorMemoryKiB), most)
	passes = min(passes, maxWorkKiB/memory)
	return Params{MemoryKiB: uint32(memory), Time: uint32(passes), Parallelism: 1} // #nosec G115 -- the bounds hold
}

// Measure is how long a hash of the parameters takes here: the fastest of three, because whatever else runs only makes it slower. On Linux what
// other processes take is not counted.
func Measure(ctx context.Context, params Params) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fastest := time.Duration(math.MaxInt64)
	for range 3 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		began := threadTime()
		if _, err := Hash("a password that nobody has", params); err != nil {
			return 0, err
		}
		fastest = min(fastest, threadTime()-began)
	}
	return fastest, nil
}
