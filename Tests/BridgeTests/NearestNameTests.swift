// Which name is meant by one that was mistyped.

import Testing

@testable import Bridge

struct NearestNameTests {
  private static let commands = [
    "serve", "chat", "status", "models", "sessions", "logs", "config", "doctor", "version",
  ]

  @Test(
    arguments: [
      ("stauts", "status"), ("sess", "sessions"), ("model", "models"), ("log", "logs"), ("conifg", "config"),
      ("st", "status"), ("srve", "serve"), ("se", nil), ("s", nil), ("", nil), ("frobnicate", nil), ("x", nil),
      ("第二", nil),
    ] as [(String, String?)])
  func isFound(_ name: String, _ meant: String?) {
    #expect(NearestName.among(Self.commands, to: name) == meant)
  }

  @Test(arguments: [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("ab", "ba", 2)])
  func distancesCountLetters(_ left: String, _ right: String, _ distance: Int) {
    #expect(left.editDistance(to: right) == distance)
    #expect(right.editDistance(to: left) == distance)
  }
}
