// Merges the partial results of decode attention, always in the same order.
//
//   parts [rows, count, D] unnormalised; marks [rows, count, 2] (highest score in base 2, sum); out [rows, D]; D = 4 * fours.
//
// One invocation per four elements of the output. A row without keys gives zeros.

struct Params { rows: u32, count: u32, fours: u32 }
#params Params

var<storage, read> parts: array<vec4f>;
var<storage, read> marks: array<vec2f>;
var<storage, read_write> out: array<vec4f>;

const LOWEST = -3.0e38;

#include "common/elements.wgsl"

fn element(at: u32) {
  if (at >= params.rows * params.fours) { return; }
  let first = at / params.fours * params.count;
  var top = LOWEST;
  for (var i = 0u; i < params.count; i++) { top = max(top, marks[first + i].x); }
  var total = 0.0;
  var sum = vec4f();
  for (var i = 0u; i < params.count; i++) {
    let mark = marks[first + i];
    // A part without keys has sum 0 and, where no part has any, an exponent of 0.
    let weight = exp2(mark.x - top);
    total += weight * mark.y;
    sum += weight * parts[(first + i) * params.fours + at % params.fours];
  }
  out[at] = select(vec4f(), sum / total, total != 0.0);
}
