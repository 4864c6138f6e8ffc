// The operator of the reductions: SUM, or MAX. WGSL's max may drop a NaN, so MAX carries them by hand: a NaN anywhere
// makes the result NaN, as in PyTorch. `identity` gives what accumulators start from, given any element of their row;
// `across` combines the components of a V.
#define MAX // the largest, not the sum
#include "common/vector.wgsl"

#if MAX
#if VEC4
alias Bits = vec4u;
alias Truth = vec4<bool>;
#else
alias Bits = u32;
alias Truth = bool;
#endif

fn identity(element: V) -> V { return element; }

fn isNan(value: V) -> Truth { return (bitcast<Bits>(value) & Bits(0x7fffffffu)) > Bits(0x7f800000u); }

// A constant NaN is a compile error in WGSL; a variable's bits are not.
fn nan() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

fn combine(a: V, b: V) -> V {
  return select(select(max(a, b), b, isNan(b)), a, isNan(a));
}

fn across(value: V) -> f32 {
#if VEC4
  return select(maxOf(value), nan(), any(isNan(value)));
#else
  return value;
#endif
}
#else
fn identity(element: V) -> V { return V(0.0); }

fn combine(a: V, b: V) -> V { return a + b; }

fn across(value: V) -> f32 { return sumOf(value); }
#endif
