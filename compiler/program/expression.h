/* Expression: a count that depends on a kernel's sizes, as its comment gives it: "BATCH * ((N + 15) / 16)".
 * + - * / % and parentheses on whole numbers, with the meaning that they have in C. */
#ifndef FOVEA_PROGRAM_EXPRESSION_H
#define FOVEA_PROGRAM_EXPRESSION_H

#include <stddef.h>
#include <stdint.h>

/* What a name stands for; it is not ended by '\0'. */
typedef int64_t ExpressionName(const char *name, size_t length, const void *argument);

/* The value of a whole text. Fails with STATUS_BUG where that is no expression or divides by zero, and with
 * STATUS_UNSUPPORTED where a number on the way does not fit. */
int64_t expression_value(const char *text, ExpressionName *value_of, const void *argument);

#endif
