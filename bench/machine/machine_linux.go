package machine

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// CPUs returns the processors that this process may use.
func CPUs() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var all []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	return all
}

// Pin keeps all threads of this process on one processor.
func Pin(cpu int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err == nil {
			err = pinThread(tid, cpu)
		}
		if err != nil {
			return fmt.Errorf("choosing a processor: %w", err)
		}
	}
	// A thread inherits the processor of the thread that starts it.
	runtime.GOMAXPROCS(1)
	return nil
}

func pinThread(tid, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(tid, &set)
}

// startOn starts cmd from a thread on the processor, which the process inherits.
func startOn(cmd *exec.Cmd, cpu int) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// The process group includes its descendants.
	cmd.SysProcAttr.Setpgid = true
	if cpu < 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	err := unix.SchedGetaffinity(0, &before)
	if err != nil {
		return err
	}
	err = pinThread(0, cpu)
	if err != nil {
		return err
	}
	err = cmd.Start()
	return firstError(err, unix.SchedSetaffinity(0, &before))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func interrupt(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
func kill(cmd *exec.Cmd)      { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// Usage is the CPU time of each process of a group.
type Usage map[int]time.Duration

// CPU returns the CPU time that the process, its threads and its children have used.
// The processes' CPU clocks count the same as utime and stime in /proc/<pid>/stat, in
// nanoseconds instead of hundredths of a second.
func (p *Process) CPU() (Usage, error) {
	group := p.cmd.Process.Pid
	pids, err := members(group)
	if err != nil {
		return nil, err
	}
	usage := Usage{}
	for _, pid := range pids {
		t, err := clock(pid)
		if err == nil {
			usage[pid] = t
		}
	}
	if _, ok := usage[group]; !ok {
		return nil, fmt.Errorf("process %d has ended: %s", group, p.Output())
	}
	return usage, nil
}

// Since returns what was used since an earlier reading.
func (u Usage) Since(before Usage) time.Duration {
	var sum time.Duration
	for pid, t := range u {
		sum += t - before[pid]
	}
	return sum
}

// clock reads the CPU clock of a process. The clock's ID is made as
// clock_getcpuclockid(3) does: the inverted process ID, and 2 for the scheduler's own
// count.
func clock(pid int) (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(int32(^pid<<3|2), &ts) //nolint:gosec // a process ID has 22 bits
	return time.Duration(ts.Nano()), err
}

// SelfCPU returns the CPU time that this process has used.
func SelfCPU() (time.Duration, error) {
	var ts unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano()), err
}

// Memory returns the private memory of the group's processes now, in megabytes: their
// resident sets without pages that the system can read again from a file, such as the
// program.
func (p *Process) Memory() (float64, error) {
	pids, err := members(p.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	pages := 0
	for _, pid := range pids {
		statm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
		fields := strings.Fields(string(statm))
		if err != nil || len(fields) < 3 {
			continue // it has ended meanwhile
		}
		resident, err := strconv.Atoi(fields[1])
		shared, sharedErr := strconv.Atoi(fields[2])
		if err == nil && sharedErr == nil {
			pages += resident - shared
		}
	}
	return float64(pages) * float64(os.Getpagesize()) / 1e6, nil
}

// members returns the processes of a group.
func members(group int) ([]int, error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err == nil && groupOf(string(stat)) == group {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// groupOf returns the process group in the text of /proc/<pid>/stat, or 0. The second
// field, the program's name, may have any characters, but is the only one in
// parentheses (proc(5)).
func groupOf(stat string) int {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return 0
	}
	group, err := strconv.Atoi(fields[2])
	if err != nil {
		return 0
	}
	return group
}

// nobody is the conventional user and group without rights on Linux.
const nobody = 65534

// Unprivileged makes cmd run without root's rights, if this process has them, as the
// owner of dir.
func Unprivileged(cmd *exec.Cmd, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return os.Chown(dir, nobody, nobody)
}
