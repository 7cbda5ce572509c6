/* Writes a file between two marks; its start-up and exit make many more calls. */
#include <stdio.h>
#include <string.h>
#include "farcall.h"

int main(void)
{
	farcall_region region;
	FILE *fp;
	char text[] = "wang";

	FARCALL_BEGIN(&region, "load");
	fp = fopen("cs_w.txt", "w");
	fwrite(text, sizeof(char), strlen(text), fp);
	fclose(fp);
	FARCALL_END(&region);
	puts("outside again");
	return 0;
}
