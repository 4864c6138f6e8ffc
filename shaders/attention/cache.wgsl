// How a KV cache stores four neighbouring elements. The including kernel declares its cache as array<Four>.
#define FORMAT "f32" | "f16" | "bf16" // how the cache is stored
#include "common/pack.wgsl"

#if FORMAT == "f16"
alias Four = vec2u;
fn unpackFour(bits: Four) -> vec4f { return vec4f(unpack2x16float(bits.x), unpack2x16float(bits.y)); }
fn packFour(x: vec4f) -> Four { return vec2u(pack2x16float(x.xy), pack2x16float(x.zw)); }
#elif FORMAT == "bf16"
alias Four = vec2u;
fn unpackFour(bits: Four) -> vec4f { return vec4f(unpackBf16(bits.x), unpackBf16(bits.y)); }
fn packFour(x: vec4f) -> Four { return vec2u(packBf16(x.xy), packBf16(x.zw)); }
#else
alias Four = vec4f;
fn unpackFour(x: Four) -> vec4f { return x; }
fn packFour(x: vec4f) -> Four { return x; }
#endif
