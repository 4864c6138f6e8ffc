// What layout kernels move: bits, whatever they mean. Floats would be at the mercy of NaN and subnormal handling.
#define VEC4 // four words at a time

#if VEC4
alias Word = vec4u;
#else
alias Word = u32;
#endif
