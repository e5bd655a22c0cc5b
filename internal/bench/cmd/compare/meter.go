package main

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// watch runs one operation and measures what it costs this process.
func watch(operation func() error) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	heap, rss, cpu := newHeapMeter(), peakRSS(), processCPU()
	start := time.Now()
	err := operation()
	elapsed := time.Since(start)
	cpu = processCPU() - cpu
	highest := heap.stop()
	runtime.ReadMemStats(&after)
	return sample{
		timeOp:     float64(elapsed),
		cpuOp:      float64(cpu),
		bytesOp:    float64(after.TotalAlloc - before.TotalAlloc),
		allocsOp:   float64(after.Mallocs - before.Mallocs),
		heapGrowth: highest - heap.first,
		rssGrowth:  peakRSS() - rss,
		heapPeak:   highest,
		rssPeak:    peakRSS(),
	}, err
}

// heapMeter looks at the size of the heap every millisecond, garbage included.
type heapMeter struct {
	first   float64
	metric  []metrics.Sample
	done    chan struct{}
	highest chan float64
}

func newHeapMeter() *heapMeter {
	m := &heapMeter{
		metric:  []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}},
		done:    make(chan struct{}),
		highest: make(chan float64),
	}
	m.first = m.read()
	go m.run()
	return m
}

func (m *heapMeter) run() {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	highest := m.first
	for {
		select {
		case <-ticker.C:
			highest = max(highest, m.read())
		case <-m.done:
			m.highest <- max(highest, m.read())
			return
		}
	}
}

func (m *heapMeter) read() float64 {
	metrics.Read(m.metric)
	return float64(m.metric[0].Value.Uint64())
}

// stop ends the meter and returns the largest size it has seen.
func (m *heapMeter) stop() float64 {
	close(m.done)
	return <-m.highest
}

// peakRSS returns the most memory that this process has had in RAM so far, in bytes. It is known on Linux alone, and 0
// elsewhere. That of getrusage begins with the peak of the parent process.
func peakRSS() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		value, ok := strings.CutPrefix(line, "VmHWM:")
		if !ok {
			continue
		}
		kibibytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
		if err != nil {
			return 0
		}
		return kibibytes * 1024
	}
	return 0
}
