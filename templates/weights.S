/* {{name}}: its weights, taken in from {{name}}.weights. Compile in the folder of that file, or with its path:
 * -D{{NAME}}_WEIGHTS_PATH='"path/{{name}}.weights"'. */
#ifndef {{NAME}}_WEIGHTS_PATH
#define {{NAME}}_WEIGHTS_PATH "{{name}}.weights"
#endif

#ifdef __APPLE__
    .const
    .private_extern _{{name}}_weights
    .globl _{{name}}_weights
    .p2align 6
_{{name}}_weights:
#else
    .section .rodata
    .hidden {{name}}_weights
    .globl {{name}}_weights
    .balign 64
{{name}}_weights:
#endif
    .incbin {{NAME}}_WEIGHTS_PATH

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack,"",%progbits
#endif
