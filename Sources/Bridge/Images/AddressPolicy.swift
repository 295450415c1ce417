// Which addresses the bridge may fetch from. Pure: a table of ranges.

/// Tells public addresses from those that lead into this machine or its network.
enum AddressPolicy {
  /// IPv4 ranges that are not the public Internet (RFC 6890 and its registry), as address and prefix length.
  private static let closedRanges: [(UInt32, Int)] = [
    (0x0000_0000, 8),  // this network
    (0x0A00_0000, 8),  // private
    (0x6440_0000, 10),  // carrier-grade NAT
    (0x7F00_0000, 8),  // loopback
    (0xA9FE_0000, 16),  // link-local, cloud metadata
    (0xAC10_0000, 12),  // private
    (0xC000_0000, 24),  // protocol assignments
    (0xC000_0200, 24),  // documentation
    (0xC058_6300, 24),  // 6to4 relays
    (0xC0A8_0000, 16),  // private
    (0xC612_0000, 15),  // benchmarks
    (0xC633_6400, 24),  // documentation
    (0xCB00_7100, 24),  // documentation
    (0xE000_0000, 4),  // multicast
    (0xF000_0000, 4),  // reserved, broadcast
  ]

  /// Whether an address, given as its 4 or 16 bytes, is public.
  static func isPublic(_ bytes: [UInt8]) -> Bool {
    switch bytes.count {
    case 4: isPublicIPv4(bytes[...])
    case 16: isPublicIPv6(bytes)
    default: false
    }
  }

  private static func isPublicIPv4(_ bytes: ArraySlice<UInt8>) -> Bool {
    let address = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return !closedRanges.contains { range, length in
      let mask = UInt32.max << (32 - UInt32(length))
      return address & mask == range
    }
  }

  private static func isPublicIPv6(_ bytes: [UInt8]) -> Bool {
    let word = { (index: Int) in UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]) }
    // Addresses that carry an IPv4 one are judged by it: mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96), 6to4.
    let startsWithZeros = bytes[..<10].allSatisfy { $0 == 0 }
    if startsWithZeros, word(10) == 0xFFFF { return isPublicIPv4(bytes[12...]) }
    if word(0) == 0x64, word(2) == 0xFF9B, bytes[4..<12].allSatisfy({ $0 == 0 }) {
      return isPublicIPv4(bytes[12...])
    }
    if word(0) == 0x2002 { return isPublicIPv4(bytes[2..<6]) }
    // Only 2000::/3 is routed publicly; 2001::/23 is for protocols (Teredo…), 2001:db8::/32 and 3fff::/20 for books.
    guard bytes[0] & 0xE0 == 0x20 else { return false }
    if word(0) == 0x2001, word(2) < 0x0200 || word(2) == 0x0DB8 { return false }
    return !(word(0) == 0x3FFF && word(2) < 0x1000)
  }
}
