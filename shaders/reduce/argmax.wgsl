// Index of the largest element of each row of x[rows, n], the first among equals; a NaN counts as largest, as in
// PyTorch. One workgroup per row. Lanes compare sort keys.

struct Params { rows: u32, n: u32 }
#params Params

var<storage, read> x: array<f32>;
var<storage, read_write> y: array<i32>;

#include "common/rows.wgsl"
#include "common/sort-key.wgsl"

struct Best { key: u32, at: u32 }
var<workgroup> found: array<Best, WORKGROUP>;

fn better(a: Best, b: Best) -> bool { return a.key > b.key || (a.key == b.key && a.at < b.at); }

fn processRow(row: u32, lane: u32) {
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
