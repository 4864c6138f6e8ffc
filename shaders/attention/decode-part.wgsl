// The part of a decode kernel that says which keys a workgroup covers.
//
// sequences[s] = (prefix start, prefix end, own start, own end), slots of the cache. The keys of a sequence are numbered
// through: first the prefix, then its own. `splits` workgroups share those that any of `count` queries sees, in runs of a
// multiple of 128.
#include "attention/window.wgsl"

fn keysOf(sequence: vec4u) -> u32 {
  return sequence.y - sequence.x + sequence.w - sequence.z;
}

fn keyRange(sequence: vec4u, split: u32, splits: u32, count: u32) -> vec2u {
  let total = keysOf(sequence);
  let first = firstSeen(max(total, count) - count, 0u);
  let run = ((total - first + splits - 1u) / splits + 127u) / 128u * 128u;
  return vec2u(first + min(split * run, total - first), first + min((split + 1u) * run, total - first));
}

fn slotOf(sequence: vec4u, key: u32) -> u32 {
  let prefix = sequence.y - sequence.x;
  return select(sequence.z + key - prefix, sequence.x + key, key < prefix);
}

// Queries are the last tokens of their sequence: query i of `count` does not see the count - 1 - i keys behind it.
fn visibleKeys(sequence: vec4u, query: u32, count: u32) -> u32 {
  let total = keysOf(sequence);
  return total - min(total, count - 1u - query);
}

// The first key that a query sees which sees no key from `visible` on: its own key is the one before.
fn firstVisible(visible: u32) -> u32 {
  return firstSeen(max(visible, 1u) - 1u, 0u);
}
