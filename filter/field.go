package filter

// A fieldKind is what a condition can ask about.
type fieldKind uint8

const (
	fieldName fieldKind = iota
	fieldClass
	fieldABI
	fieldArgs
	fieldReg
	fieldFD
	fieldRet
	fieldErrno
	fieldOK
	fieldFailed
	fieldDuration
	fieldComm
	fieldPID
	fieldTID
	fieldRegion
	fieldDepth
	fieldStack
	fieldCount
)

// Needs is a set of what has to be known about the program beside its call to decide a condition.
type Needs uint16

// What may be needed.
const (
	NeedArgs   Needs = 1 << iota // decoded arguments: what is in registers alone is always there
	NeedExit                     // what became of the call, for some calls at least
	NeedFD                       // Env.FDPath
	NeedPeer                     // Env.FDPeer
	NeedComm                     // Env.Comm
	NeedRegion                   // Env.Region
	NeedStack                    // Env.Stack
	NeedCount                    // the program keeps a count
)

// A category says which operators and constants suit a value.
type category uint8

const (
	catNumber   category = iota
	catDuration          // a number that is written with a unit
	catText
	catBits // a set of numbers in memory, which has them or not
	catTruth
	catName
	catClass
	catABI
	catStack
	catComposite // a structure or an array: its parts can be asked for
	catPointer   // a pointer whose contents are composite; it can be compared with NULL
	numCategories
)

var categoryNames = [numCategories]string{
	"a number", "a time", "text", "a set", "true or false", "the name of a call", "a class", "an ABI", "a stack", "a structure", "a structure",
}

// A field is a name that conditions know.
type field struct {
	name  string
	kind  fieldKind
	cat   category
	needs Needs
}

var fields = []field{
	{"name", fieldName, catName, 0},
	{"class", fieldClass, catClass, 0},
	{"abi", fieldABI, catABI, 0},
	{"args", fieldArgs, catComposite, 0},
	{"arg0", fieldReg, catNumber, 0},
	{"arg1", fieldReg, catNumber, 0},
	{"arg2", fieldReg, catNumber, 0},
	{"arg3", fieldReg, catNumber, 0},
	{"arg4", fieldReg, catNumber, 0},
	{"arg5", fieldReg, catNumber, 0},
	{"fd", fieldFD, catNumber, 0},
	{"ret", fieldRet, catNumber, NeedExit},
	{"errno", fieldErrno, catNumber, NeedExit},
	{"ok", fieldOK, catTruth, NeedExit},
	{"failed", fieldFailed, catTruth, NeedExit},
	{"duration", fieldDuration, catDuration, NeedExit},
	{"comm", fieldComm, catText, NeedComm},
	{"pid", fieldPID, catNumber, 0},
	{"tid", fieldTID, catNumber, 0},
	{"region", fieldRegion, catText, NeedRegion},
	{"depth", fieldDepth, catNumber, NeedRegion},
	{"stack", fieldStack, catStack, NeedStack},
	{"count", fieldCount, catNumber, NeedCount},
}

func fieldOf(word string) *field {
	for i := range fields {
		if fields[i].name == word {
			return &fields[i]
		}
	}
	return nil
}

// operatorsOf are the operators that suit a category.
var operatorsOf = [numCategories][]op{
	catNumber:    {opEq, opLt, opLe, opGt, opGe, opIn, opHasAll, opHasAny},
	catDuration:  {opEq, opLt, opLe, opGt, opGe, opIn},
	catText:      {opEq, opIn, opContains, opGlob, opMatches},
	catBits:      {opHasAll, opHasAny},
	catTruth:     {opTruth},
	catName:      {opEq, opIn, opGlob, opMatches},
	catClass:     {opEq, opIn, opHasAll},
	catABI:       {opEq, opIn},
	catStack:     {opHasAll, opGlob, opMatches},
	catComposite: {},
	catPointer:   {opEq},
}
