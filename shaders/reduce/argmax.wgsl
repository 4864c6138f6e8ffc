// Index of the largest element of each row of x[rows, n], the first among equals; a NaN counts as largest, as in
// PyTorch. One workgroup per row. Lanes compare sort keys: the bits of a float, with the order of negatives reversed.
#include "common/grid.wgsl"

struct Params { rows: u32, n: u32 }
#params Params

var<storage, read> x: array<f32>;
var<storage, read_write> y: array<i32>;

override WORKGROUP: u32 = 64;

struct Best { key: u32, at: u32 }
var<workgroup> found: array<Best, WORKGROUP>;

fn sortKey(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  if ((bits & 0x7fffffffu) == 0u) { return 0x80000000u; }
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn better(a: Best, b: Best) -> bool { return a.key > b.key || (a.key == b.key && a.at < b.at); }

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = linearWorkgroup(group, groups);
  if (row >= params.rows) { return; }
  var best = Best(0u, 0xffffffffu);
  for (var at = lane; at < params.n; at += WORKGROUP) {
    let key = sortKey(x[row * params.n + at]);
    if (key > best.key) { best = Best(key, at); }
  }
  found[lane] = best;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half && better(found[lane + half], found[lane])) { found[lane] = found[lane + half]; }
  }
  if (lane == 0u) { y[row] = i32(found[0].at); }
}
