/* Elementwise operators: each is a formula of runtime/formulas.txt over broadcast inputs.
 * A new one is a row here and a line there. */
#include "ops/op.h"

const Op OPS_elementwise[] = {
    {.name = "Add", .versions = {7, 13, 14}, .inputs = "A:T B:T", .outputs = "C:T", .types = "T: numeric",
     .formula = "add"},
    {.name = "Relu", .versions = {6, 13, 14}, .inputs = "X:T", .outputs = "Y:T", .types = "T: floats signed",
     .formula = "relu"},
    {.name = "Equal", .versions = {7, 11, 13, 19}, .inputs = "A:T B:T", .outputs = "C:bool", .types = "T: plain",
     .formula = "equal"},
    {0},
};
