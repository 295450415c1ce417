// SHA-1; the values are those of FIPS 180-4's examples.

import Testing

@testable import Bridge

struct SHA1DigestTests {
  @Test(arguments: [
    ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
  ])
  func isTheStandards(_ text: String, _ hex: String) {
    let digits = SHA1Digest.bytes(of: text).map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }
    #expect(digits.joined() == hex)
  }
}
