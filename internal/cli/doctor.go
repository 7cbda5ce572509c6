package cli

import (
	"os"
	"strconv"

	"farcall/internal/cmdline"
	"farcall/internal/doctor"
	"farcall/internal/message"

	"github.com/spf13/cobra"
)

const doctorHelp = `Try out what farcall needs of this machine, and say what works, what does not,
why, and what can be done about it.

Each line is ok, limited (works in part, or in another way), or no. The exit
status is 0 if programs can be traced here, otherwise 1. With -p it is 0 if
that process can be traced: it is tried, without stopping the process.

--clean removes what killed tracers have left behind: the semaphores of marks.`

const doctorExamples = `  farcall doctor                  does tracing work here?
  farcall doctor -p 1234          can process 1234 be traced, and if not, why?
  farcall doctor --json           the same for programs
  farcall doctor --clean          remove what killed tracers have left behind
  sudo farcall doctor             what would root be able to do?`

// newDoctorCommand says what works on this machine and why not.
func newDoctorCommand(std Streams) *cobra.Command {
	var (
		pid    string
		asJSON bool
		clean  bool
	)
	cmd := &cobra.Command{
		Use:                   "doctor [-p PID] [--json] | doctor --clean",
		Short:                 "Say what works on this machine, and what stands in the way",
		Long:                  doctorHelp,
		Example:               doctorExamples,
		Args:                  cobra.NoArgs,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if clean {
				if cmd.Flags().Changed("attach") || asJSON {
					return message.Misuse("--clean cannot be combined with other options")
				}
				return cleanMarks(std)
			}
			target := 0
			if cmd.Flags().Changed("attach") {
				n, err := strconv.Atoi(pid)
				if err != nil || n <= 0 {
					return &message.Error{Text: "Invalid process id: '" + pid + "'", Remedy: cmdline.PIDHint}
				}
				target = n
			}
			return runDoctor(std, target, asJSON)
		},
	}
	cmd.Flags().StringVarP(&pid, "attach", "p", "", "find out whether the process `PID` can be traced")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON object")
	cmd.Flags().BoolVar(&clean, "clean", false, "remove the semaphores of killed tracers, and list them")
	return cmd
}

// runDoctor makes the report, prints it, and gives the exit status.
func runDoctor(std Streams, pid int, asJSON bool) error {
	r := doctor.Examine(doctor.Options{Version: Version, Program: ownProgram})
	if pid != 0 {
		r.Process = doctor.ExamineAttach(pid)
	}
	var err error
	if asJSON {
		err = r.WriteJSON(std.Out)
	} else {
		file, _ := std.Out.(*os.File)
		err = r.WriteText(std.Out, useColor(cmdline.ColorAuto, file, os.Getenv))
	}
	if err != nil {
		return err
	}
	if !r.OK() {
		return exitStatus(exitFailure)
	}
	return nil
}

// ownProgram is the file that this farcall runs from. The launcher is another process, whose /proc/self is its own.
func ownProgram() (string, error) {
	self := "/proc/" + strconv.Itoa(os.Getpid()) + "/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return findProgram(os.Args[0], os.Getenv("PATH"))
}
