// What has to listen for a HOST to lead here from everywhere.

import Testing

@testable import Bridge

struct ListenAddressTests {
  private func resolved(_ hosts: String...) throws -> [String] {
    try ListenAddress.resolve(hosts, port: 80).map { ($0.isOptional ? "?" : "") + $0.address.description }
  }

  @Test func localhostIsBothFamilies() throws {
    #expect(try resolved("localhost") == ["127.0.0.1:80", "?[::1]:80"])
    #expect(try resolved("LocalHost.") == ["127.0.0.1:80", "?[::1]:80"])
  }

  @Test func bracketsAreNoPartOfTheAddress() throws {
    #expect(try resolved("[::1]") == ["[::1]:80"])
    #expect(try resolved("::1", "[::1]") == ["[::1]:80"])
  }

  @Test func everyIPv6AddressIsEveryIPv4AddressToo() throws {
    #expect(try resolved("::") == ["[::]:80", "0.0.0.0:80"])
    #expect(try resolved("0.0.0.0", "[::]") == ["0.0.0.0:80", "[::]:80"])
    #expect(try resolved("0.0.0.0") == ["0.0.0.0:80"])
  }

  @Test func whatIsNoHostIsRefused() {
    for host in ["[", "[]", "[127.0.0.1", "::1]"] {
      #expect(throws: LoopError.self) { try ListenAddress.resolve([host], port: 80) }
    }
  }

  @Test func aPortIsReplaced() throws {
    for host in ["127.0.0.1", "::1"] {
      let address = try #require(try ListenAddress.resolve([host], port: 0).first).address
      #expect(address.with(port: 54321).port == 54321)
      #expect(address.with(port: 54321).host == host)
    }
  }
}
