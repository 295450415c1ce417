// Fingerprints of bytes, for tables and comparisons within one process.

/// 64 bits that depend on every byte, on their number and on two random numbers that whoever compares has drawn: nobody
/// who cannot see those can choose two texts with the same fingerprint, and by chance two meet once in 2⁶⁴.
struct Fingerprint: Hashable, Sendable {
  /// What only this process knows. Those with the same seeds can be compared.
  struct Seeds: Sendable {
    fileprivate let first = UInt64.random(in: .min ... .max)
    fileprivate let second = UInt64.random(in: .min ... .max)
  }

  private let bits: UInt64

  init(of bytes: Span<UInt8>, _ seeds: Seeds) {
    bits = bytes.withUnsafeBytes { bytes in
      let word = { bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self) }
      // Mixed before anything else: a short text could cancel out its own length.
      var hash = Self.mixed(seeds.first ^ UInt64(bytes.count), seeds.second)
      var index = 0
      // Two at once: each step has to wait for the one before it.
      var other = seeds.first
      while index + 32 <= bytes.count {
        hash = Self.mixed(word(index) ^ hash, word(index + 8) ^ seeds.second)
        other = Self.mixed(word(index + 16) ^ other, word(index + 24) ^ seeds.second)
        index += 32
      }
      hash = Self.mixed(hash, other ^ seeds.second)
      while index + 8 <= bytes.count {
        hash = Self.mixed(word(index) ^ hash, seeds.second)
        index += 8
      }
      // Behind eight bytes the rest is read together with some that were read already; how many is told by the number of all.
      let rest = bytes.count >= 8 ? word(bytes.count - 8) : bytes.reduce(0) { $0 << 8 | UInt64($1) }
      return Self.mixed(rest ^ hash, seeds.second)
    }
  }

  private static func mixed(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
  }

  func hash(into hasher: inout Hasher) { hasher.combine(bits) }

  /// A table needs no further hash of what is one: the standard library's would cost more than all else in looking one up.
  func _rawHashValue(seed: Int) -> Int { Int(truncatingIfNeeded: bits) ^ seed }
}
