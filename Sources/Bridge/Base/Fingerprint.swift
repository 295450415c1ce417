// Fingerprints of bytes, for tables and comparisons within one process.

private let seeds = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))

extension Span<UInt8> {
  /// 64 bits that depend on every byte, on their number and on two random numbers that this process has drawn: nobody who
  /// cannot see into it can choose two texts with the same fingerprint, and by chance two meet once in 2⁶⁴.
  var fingerprint: UInt64 {
    withUnsafeBytes { bytes in
      let word = { bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self) }
      // Mixed before anything else: a short text could cancel out its own length.
      var hash = Self.mixed(seeds.0 ^ UInt64(bytes.count), seeds.1)
      var index = 0
      // Two at once: each step has to wait for the one before it.
      var other = seeds.0
      while index + 32 <= bytes.count {
        hash = Self.mixed(word(index) ^ hash, word(index + 8) ^ seeds.1)
        other = Self.mixed(word(index + 16) ^ other, word(index + 24) ^ seeds.1)
        index += 32
      }
      hash = Self.mixed(hash, other ^ seeds.1)
      while index + 8 <= bytes.count {
        hash = Self.mixed(word(index) ^ hash, seeds.1)
        index += 8
      }
      // Behind eight bytes the rest is read together with some that were read already; how many is told by the number of all.
      let rest = bytes.count >= 8 ? word(bytes.count - 8) : bytes.reduce(0) { $0 << 8 | UInt64($1) }
      return Self.mixed(rest ^ hash, seeds.1)
    }
  }

  private static func mixed(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
  }
}
