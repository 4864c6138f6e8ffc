// What the matrix-*.wgsl kernels multiply: an f32 tensor x [T, heads, D] as f16, laid out so that fragments of either side
// lie in whole runs of memory.
//
//   rows [heads, ROWS, TP, DP]: for products over D. Beyond T and D there are zeros.
//   columns [heads, COLUMNS, DC, TP]: for products over tokens.
//   largest: bits of the largest magnitude in each tensor (attention/magnitudes.wgsl), x being number `which`.
//
// Numbers are multiplied by a power of two that brings the largest to [2^14, 2^15). In two parts a number is the sum of its
// upper 11 bits and the next 11, else it is rounded to 11. With OWN_SCALE each row of `rows` has its own power of two, so that
// tokens with small gradients keep theirs; `scales` [heads, TP] says by what to multiply to get numbers scaled as in columns.
//
// A product over tokens multiplies what is hidden by zero, so there must be no NaN or infinity among it: such numbers become
// 0. With CARRIES a row of x that has one, or whose row of `other` has one, is NaN in `rows` as a whole: it makes the
// token's scores NaN, wherever it is seen.
#define D4 1..64     // head dimension / 4
#define DP 16..256   // head dimension in rows
#define DC 16..256   // head dimension in columns
#define ROWS 0..2    // parts of a number in rows
#define COLUMNS 0..2 // parts of a number in columns
#define CARRIES      // rows carry NaN
#define OTHER        // another tensor's NaN as well
#define OWN_SCALE    // a scale for each row
enable f16;

struct Params { tokens: u32, padded: u32, heads: u32, which: u32 }
#params Params

var<storage, read> x: array<vec4f>;
#if OTHER
var<storage, read> other: array<vec4f>;
#endif
var<storage, read> largest: array<u32>;
#if ROWS > 0
var<storage, read_write> rows: array<vec4h>;
#endif
#if COLUMNS > 0
var<storage, read_write> columns: array<vec4h>;
#endif
#if OWN_SCALE
var<storage, read_write> scales: array<f32>;
#endif

const TOKENS = 32u;
const D4 = ${D4}u;

var<workgroup> broken: array<atomic<u32>, TOKENS>;
var<workgroup> high: array<atomic<u32>, TOKENS>;
var<workgroup> turned: array<f32, TOKENS * 33u>;

fn isFinite(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7f800000u)) != vec4u(0x7f800000u);
}

fn exponentFor(bits: u32) -> u32 {
  return clamp(268u - (bits >> 23u), 14u, 240u);
}

fn fetch(token: u32, head: u32, c: u32) -> vec4f {
  let at = (min(token, params.tokens - 1u) * params.heads + head) * D4 + min(c, D4 - 1u);
  let found = x[at];
  return select(vec4f(), found, isFinite(found) & vec4<bool>((token < params.tokens) & (c < D4)));
}

// Part of a scaled number: cut by hand, as compilers may take f32(f16(x)) for x.
fn partOf(x: vec4f, part: u32, parts: u32) -> vec4h {
  let upper = bitcast<vec4f>(bitcast<vec4u>(x) & vec4u(0xffffe000u));
  if (parts == 1u) { return vec4h(x); }
  return vec4h(select(x - upper, upper, part == 0u));
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let first = group.x * TOKENS;
  let exponent = exponentFor(largest[params.which]);
  let scale = bitcast<f32>(exponent << 23u);
#if CARRIES || OWN_SCALE
  {
    let token = lane >> 2u;
    let at = (min(first + token, params.tokens - 1u) * params.heads + head) * D4;
    var fine = true;
    var most = vec4f();
    for (var c = lane & 3u; c < D4; c += 4u) {
      let found = x[at + c];
      fine = fine & all(isFinite(found));
      most = max(most, abs(select(vec4f(), found, isFinite(found))));
#if OTHER
      fine = fine & all(isFinite(other[at + c]));
#endif
    }
    if (!fine & (first + token < params.tokens)) { atomicStore(&broken[token], 0x7e007e00u); }
    atomicMax(&high[token], bitcast<u32>(max(max(most.x, most.y), max(most.z, most.w))));
  }
  workgroupBarrier();
#endif
#if OWN_SCALE
  if (lane < TOKENS) {
    let own = exponentFor(atomicLoad(&high[lane]));
    scales[head * params.padded + first + lane] = bitcast<f32>((max(exponent + 127u, own + 1u) - own) << 23u);
  }
#endif
#if ROWS > 0
  for (var e = lane; e < TOKENS * ${DP / 4}u; e += 128u) {
    let token = e / ${DP / 4}u;
#if OWN_SCALE
    let up = bitcast<f32>(exponentFor(atomicLoad(&high[token])) << 23u);
#else
    let up = scale;
#endif
    let four = up * fetch(first + token, head, e % ${DP / 4}u);
#for part in 0..ROWS
    {
      var half = bitcast<vec2u>(partOf(four, ${part}u, ${ROWS}u));
#if CARRIES
      half |= vec2u(atomicLoad(&broken[token]));
#endif
      rows[((head * ${ROWS}u + ${part}u) * params.padded + first + token) * ${DP / 4}u + e % ${DP / 4}u] = bitcast<vec4h>(half);
    }
#endfor
  }
#endif
#if COLUMNS > 0
  for (var c = 0u; c < ${DC / 4}u; c += 8u) {
    workgroupBarrier();
    for (var e = lane; e < TOKENS * 8u; e += 128u) {
      let four = scale * fetch(first + e / 8u, head, c + e % 8u);
      for (var i = 0u; i < 4u; i++) { turned[(4u * (e % 8u) + i) * 33u + e / 8u] = four[i]; }
    }
    workgroupBarrier();
    for (var e = lane; e < 32u * TOKENS / 4u; e += 128u) {
      let column = 4u * c + e / 8u;
      let at = e / 8u * 33u + 4u * (e % 8u);
      let four = vec4f(turned[at], turned[at + 1u], turned[at + 2u], turned[at + 3u]);
      if (column < ${DC}u) {
#for part in 0..COLUMNS
        columns[(((head * ${COLUMNS}u + ${part}u) * ${DC}u + column) * params.padded + first) / 4u + e % 8u] = partOf(four, ${part}u, ${COLUMNS}u);
#endfor
      }
    }
  }
#endif
}
