package cli

import "github.com/spf13/cobra"

// newDoctorCommand says what works on this machine and why not.
func newDoctorCommand(Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what works on this machine, and what stands in the way",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return notYet("doctor") },
	}
}
