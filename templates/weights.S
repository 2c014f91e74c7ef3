/* {{name}}: its weights, taken in from {{name}}.weights.
 * The assembler looks for that file in the current folder and in those given with -I. */
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
{{large_pages}}{{name}}_weights:
#endif
    .incbin "{{name}}.weights"

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack,"",%progbits
#endif
