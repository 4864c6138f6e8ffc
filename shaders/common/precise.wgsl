// Elementary functions whose WGSL built-ins are too loosely bounded for some uses.

// WGSL bounds log near 1 only absolutely; log(x) = 2 artanh((x - 1) / (x + 1)) keeps the relative accuracy there.
fn preciseLog(x: f32) -> f32 {
  let r = (x - 1.0) / (x + 1.0);
  let z = r * r;
  let near = 2.0 * r * (1.0 + z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0)))));
  return select(log(x), near, abs(x - 1.0) < 0.3);
}

// `value`, or x where that is NaN: WGSL lets its functions lose one, and on SwiftShader exp(NaN) is infinite and log(NaN) 89.
fn orNan(value: f32, x: f32) -> f32 {
  return select(value, x, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u);
}

// Cosine and sine of `turns` full turns, turns in [0, 1]: WGSL allows cos and sin an error of 2^-11. Taylor series
// within an eighth of a turn of each axis.
fn cosSinOfTurns(turns: f32) -> vec2f {
  let quarter = floor(4.0 * turns + 0.5);
  let a = (4.0 * turns - quarter) * 1.5707963267948966;
  let z = a * a;
  let s = a * (1.0 + z * (-1.0 / 6.0 + z * (1.0 / 120.0 + z * (-1.0 / 5040.0 + z * (1.0 / 362880.0)))));
  let c = 1.0 + z * (-0.5 + z * (1.0 / 24.0 + z * (-1.0 / 720.0 + z * (1.0 / 40320.0))));
  switch (u32(quarter) & 3u) {
    case 0u: { return vec2f(c, s); }
    case 1u: { return vec2f(-s, c); }
    case 2u: { return vec2f(-c, -s); }
    default: { return vec2f(s, -c); }
  }
}
