// How numbers are written in a storage format: the counterpart of common/weight.wgsl.
#define STORED "f32" | "f16" | "bf16" // format of what is written

#if STORED == "f32"
alias FourStored = vec4f;

fn encodeFour(values: vec4f) -> FourStored { return values; }
#else
alias FourStored = vec2u;

// Two numbers as a word, the first in its low half.
fn encodePair(values: vec2f) -> u32 {
#if STORED == "f16"
  return pack2x16float(values);
#else
  return bf16Bits(values.x) | (bf16Bits(values.y) << 16u);
#endif
}

// Rounds to nearest even. NaN keeps its sign and becomes quiet; without that, rounding could carry it into infinity.
fn bf16Bits(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
  return select(rounded, (bits >> 16u) | 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
}

fn encodeFour(values: vec4f) -> FourStored { return vec2u(encodePair(values.xy), encodePair(values.zw)); }
#endif
