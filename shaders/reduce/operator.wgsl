// The operator of the reductions: SUM, or MAX. WGSL's max may drop a NaN, so MAX carries them by hand: a NaN anywhere
// makes the result NaN, as in PyTorch. `identity` gives what accumulators start from, given any element of their row.
#if MAX
fn identity(element: f32) -> f32 { return element; }

fn isNan(value: f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u; }

// A constant NaN is a compile error in WGSL; a variable's bits are not.
fn nan() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

fn combine(a: f32, b: f32) -> f32 {
  return select(select(max(a, b), b, isNan(b)), a, isNan(a));
}
#else
fn identity(element: f32) -> f32 { return 0.0; }

fn combine(a: f32, b: f32) -> f32 { return a + b; }
#endif
