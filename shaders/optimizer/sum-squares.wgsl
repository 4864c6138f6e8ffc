// First half of the global gradient norm: one partial sum of squares per invocation, for TENSORS tensors in one launch.
// Every invocation adds perLane elements (a multiple of 8), WORKGROUP apart so that neighbours read neighbours, eight at
// a time in a tree. No workgroup memory and no barrier: optimizer/norm.wgsl adds the partials in a fixed order.
// A non-finite element is found by its bits (a compiler may assume that NaN does not exist) and turns the partial into
// infinity. Partials are stored as bits for the same reason.
// Grid: x over blocks of WORKGROUP * perLane elements (as many as the largest tensor needs), y over tensors. Partials of
// this launch start at `base`; invocations past the end of their tensor write zero.
#define TENSORS 1..8 // tensors per launch

struct Params {
  base: u32, perLane: u32,
#for i in 0..TENSORS
  size${i}: u32,
#endfor
}
#params Params

#for i in 0..TENSORS
var<storage, read> g${i}: array<f32>;
#endfor
var<storage, read_write> partials: array<u32>;

override WORKGROUP: u32 = 64;

const EXPONENT: u32 = 0x7f800000u;

#for i in 0..TENSORS
fn partial${i}(first: u32) -> u32 {
  var sum = 0.0;
  var bad = false;
  let size = params.size${i};
  // Whole steps of eight need no bounds check per element.
  var at = first;
  let end = first + params.perLane * WORKGROUP;
  while (at < end && at + 7u * WORKGROUP < size) {
    #for k in 0..8
    let x${k} = g${i}[at + ${k}u * WORKGROUP];
    #endfor
    #for k in 0..8
    bad = bad || (bitcast<u32>(x${k}) & EXPONENT) == EXPONENT;
    #endfor
    sum += ((x0 * x0 + x1 * x1) + (x2 * x2 + x3 * x3)) + ((x4 * x4 + x5 * x5) + (x6 * x6 + x7 * x7));
    at += 8u * WORKGROUP;
  }
  while (at < end && at < size) {
    let x = g${i}[at];
    bad = bad || (bitcast<u32>(x) & EXPONENT) == EXPONENT;
    sum += x * x;
    at += WORKGROUP;
  }
  return select(bitcast<u32>(sum), EXPONENT, bad);
}
#endfor

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group.x * WORKGROUP * params.perLane + lane;
  var partial = 0u;
  switch group.y {
#for i in 0..TENSORS
    case ${i}u: { partial = partial${i}(first); }
#endfor
    default: {}
  }
  partials[params.base + (group.y * groups.x + group.x) * WORKGROUP + lane] = partial;
}
