// Writes a file inside main; its start-up and exit make many more calls.
#include <stdio.h>
int main(int argc, char **argv) {
	FILE *f = fopen(argc > 1 ? argv[1] : "cs_w.txt", "w");
	if (!f)
		return 42;
	fwrite("wang", 1, 4, f);
	fclose(f);
	return 0;
}
