// One AdamW step with both moments in 8 bits, as bitsandbytes keeps them: a byte is a place in a table of 256 numbers in
// [-1, 1] (first moment) or [0, 1] (second), times the largest magnitude in its block of 256 elements
// (src/kernels/moments.ts makes the tables). The update is that of optimizer/adamw.wgsl, in f32, from moments that are
// rounded only afterwards: to the nearest number of the table, the lower one halfway, and a negative first moment never to
// zero.
// A block's state is 130 words: 64 of the first moment's bytes, 64 of the second's, and the two magnitudes as bits.
// CONTROL as there. Where parameters are f16 or bf16, p is the f32 master copy and `stored` receives it rounded.
// RANDOM: there is no master. p is bf16, and rounded up or down at random, in proportion to how near either is, so that
// steps below the rounding of a weight add up on average. Element i takes word i % 4 of position i / 4.
// VEC4: the size is a multiple of four. Grid: a workgroup per block, each lane with QUADS times four neighbours.
#define QUADS 1 | 2 | 4 | 8 | 16 // quads of a block per lane: 64 / WORKGROUP
#define VEC4                     // whole quads only
#define CONTROL                  // scale by, and obey, `control`
#define RANDOM                   // bf16 parameters without a master
#include "common/encode.wgsl"
#include "common/grid.wgsl"
#include "random/philox.wgsl"

struct Params {
  size: u32, blocks: u32,
  scale: f32, decay: f32, stepSize: f32, rate1: f32, beta2: f32, rate2: f32, correction2: f32, eps: f32,
#if RANDOM
  first: u32, key0: u32, key1: u32, stream: u32, step: u32,
#endif
}
#params Params

#if VEC4
alias Element = vec4f;
#else
alias Element = f32;
#endif

var<storage, read> g: array<Element>;
#if RANDOM
var<storage, read_write> p: array<u32>;
#else
var<storage, read_write> p: array<Element>;
#if STORED != "f32"
var<storage, read_write> stored: array<u32>;
#endif
#endif
var<storage, read_write> moments: array<u32>;
var<storage, read> tables: array<f32>;
#if CONTROL
var<storage, read> control: array<f32>;
#endif

override WORKGROUP: u32 = 64;
#include "common/reduce.wgsl"

const BLOCK_WORDS: u32 = 130;
// Where things begin in `tables`: numbers of the first and second moment, then the midpoints between neighbours of each.
const SECOND: u32 = 256;
const MIDPOINTS: u32 = 512;

fn numbers(word: u32, table: u32) -> vec4f {
  return vec4f(
    tables[table + (word & 0xffu)],
    tables[table + ((word >> 8u) & 0xffu)],
    tables[table + ((word >> 16u) & 0xffu)],
    tables[table + (word >> 24u)],
  );
}

// How many midpoints are below each x: the places of the nearest numbers.
fn places(x: vec4f, table: u32) -> vec4u {
  var code = vec4u(0u);
  for (var jump = 128u; jump > 0u; jump /= 2u) {
    let at = code + vec4u(MIDPOINTS + table + jump - 1u);
    let between = vec4f(tables[at.x], tables[at.y], tables[at.z], tables[at.w]);
    code += select(vec4u(0u), vec4u(jump), x > between);
  }
  return code;
}

fn bytes(code: vec4u) -> u32 { return code.x | (code.y << 8u) | (code.z << 16u) | (code.w << 24u); }

// 126 is the last negative number of the first table.
fn firstBytes(x: vec4f) -> u32 {
  return bytes(min(places(x, 0u), select(vec4u(255u), vec4u(126u), x < vec4f(0.0))));
}

// What lies past the end counts as zero.
fn gradient(quad: u32) -> vec4f {
  let at = 4u * quad;
  if (at >= params.size) { return vec4f(0.0); }
#if VEC4
  return g[quad];
#else
  let last = params.size - 1u;
  let values = vec4f(g[at], g[min(at + 1u, last)], g[min(at + 2u, last)], g[min(at + 3u, last)]);
  return select(vec4f(0.0), values, vec4u(at, at + 1u, at + 2u, at + 3u) <= vec4u(last));
#endif
}

#if RANDOM
fn bf16Pair(word: u32) -> vec2f { return vec2f(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }

// Infinity and NaN stay what they are.
fn bf16Random(value: f32, random: u32) -> u32 {
  let bits = bitcast<u32>(value);
  let special = (bits & 0x7f800000u) == 0x7f800000u;
  let quiet = select(0u, 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
  return select((bits + (random >> 16u)) >> 16u, (bits >> 16u) | quiet, special);
}
#endif

fn update(quad: u32, direction: vec4f) {
  let at = 4u * quad;
  if (at >= params.size) { return; }
#if RANDOM
  let last = (params.size - 1u) / 2u;
  let high = min(2u * quad + 1u, last);
  let before = vec4f(bf16Pair(p[2u * quad]), bf16Pair(p[high]));
  let after = params.decay * before - params.stepSize * direction;
  let words = philox4x32(
    vec4u(params.first + quad, 0u, params.step, params.stream),
    vec2u(params.key0, params.key1),
  );
  p[2u * quad] = bf16Random(after.x, words.x) | (bf16Random(after.y, words.y) << 16u);
  if (2u * quad + 1u <= last) {
    p[high] = bf16Random(after.z, words.z) | (bf16Random(after.w, words.w) << 16u);
  }
#else
#if VEC4
  let after = params.decay * p[quad] - params.stepSize * direction;
  p[quad] = after;
#else
  let last = params.size - 1u;
  let before = vec4f(p[at], p[min(at + 1u, last)], p[min(at + 2u, last)], p[min(at + 3u, last)]);
  let after = params.decay * before - params.stepSize * direction;
#for i in 0..4
  if (at + ${i}u <= last) { p[at + ${i}u] = after[${i}]; }
#endfor
#endif
#if STORED != "f32"
  stored[2u * quad] = encodePair(after.xy);
  if (at + 2u < params.size) { stored[2u * quad + 1u] = encodePair(after.zw); }
#endif
#endif
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = linearWorkgroup(group, groups);
  if (block >= params.blocks) { return; }
  var scale = params.scale;
#if CONTROL
  if (control[2] != 0.0) { return; }
  scale *= control[1];
#endif
  let base = block * BLOCK_WORDS;
  let oldLargest = vec2f(bitcast<f32>(moments[base + 128u]), bitcast<f32>(moments[base + 129u]));
  var largest = vec2f(0.0);
#for k in 0..QUADS
  let at${k} = lane + ${k}u * WORKGROUP;
  let grad${k} = scale * gradient(block * 64u + at${k});
  let oldM${k} = oldLargest.x * numbers(moments[base + at${k}], 0u);
  let oldV${k} = oldLargest.y * numbers(moments[base + 64u + at${k}], SECOND);
  let newM${k} = oldM${k} + params.rate1 * (grad${k} - oldM${k});
  let newV${k} = params.beta2 * oldV${k} + params.rate2 * grad${k} * grad${k};
  let size${k} = abs(newM${k});
  largest = max(largest, vec2f(
    max(max(size${k}.x, size${k}.y), max(size${k}.z, size${k}.w)),
    max(max(newV${k}.x, newV${k}.y), max(newV${k}.z, newV${k}.w)),
  ));
#endfor
  largest = vec2f(workgroupMax(largest.x, lane), workgroupMax(largest.y, lane));
  // Blocks that have seen no gradient stay at zero.
  let divisor = select(largest, vec2f(1.0), largest == vec2f(0.0));
#for k in 0..QUADS
  moments[base + at${k}] = firstBytes(newM${k} / divisor.x);
  moments[base + 64u + at${k}] = bytes(places(newV${k} / divisor.y, SECOND));
  update(block * 64u + at${k}, newM${k} / (sqrt(newV${k}) * params.correction2 + vec4f(params.eps)));
#endfor
  if (lane == 0u) {
    moments[base + 128u] = bitcast<u32>(largest.x);
    moments[base + 129u] = bitcast<u32>(largest.y);
  }
}
