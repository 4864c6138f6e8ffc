// Sixteen-bit storage formats. Two values share a u32, the lower index in the low half.
fn unpackBf16(bits: u32) -> vec2f {
  return vec2f(bitcast<f32>(bits << 16u), bitcast<f32>(bits & 0xffff0000u));
}

// Rounds to nearest even. NaN keeps its sign and becomes quiet; without that, rounding could carry it into infinity.
fn bf16Bits(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
  return select(rounded, (bits >> 16u) | 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
}

fn packBf16(values: vec2f) -> u32 {
  return bf16Bits(values.x) | (bf16Bits(values.y) << 16u);
}
