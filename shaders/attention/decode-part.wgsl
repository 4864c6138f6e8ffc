// The part of a decode kernel that says which keys a workgroup covers.
//
// sequences[s] = (prefix start, prefix end, own start, own end), slots of the cache. The keys of a sequence are numbered
// through: first the prefix, then its own. `splits` workgroups share them in runs of a multiple of 128.
fn keyRange(sequence: vec4u, split: u32, splits: u32) -> vec2u {
  let total = sequence.y - sequence.x + sequence.w - sequence.z;
  let run = ((total + splits - 1u) / splits + 127u) / 128u * 128u;
  return vec2u(min(split * run, total), min((split + 1u) * run, total));
}

fn slotOf(sequence: vec4u, key: u32) -> u32 {
  let prefix = sequence.y - sequence.x;
  return select(sequence.z + key - prefix, sequence.x + key, key < prefix);
}

// Queries are the last tokens of their sequence: query i of `count` does not see the count - 1 - i keys behind it.
fn visibleKeys(sequence: vec4u, query: u32, count: u32) -> u32 {
  let total = sequence.y - sequence.x + sequence.w - sequence.z;
  return total - min(total, count - 1u - query);
}
