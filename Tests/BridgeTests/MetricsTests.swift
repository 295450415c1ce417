import Testing

@testable import Bridge
@testable import BridgeTestSupport

@Suite(.onLoop)
struct MetricsTests {
  @Test func histogramsAreCumulative() {
    var histogram = Histogram([1, 2])
    for value in [0.5, 1, 1.5, 3] { histogram.observe(value) }
    var text = MetricsText()
    text.add("x_seconds", "Help.", histogram)
    #expect(
      text.text == """
        # HELP x_seconds Help.
        # TYPE x_seconds histogram
        x_seconds_bucket{le="1"} 2
        x_seconds_bucket{le="2"} 3
        x_seconds_bucket{le="+Inf"} 4
        x_seconds_sum 6
        x_seconds_count 4

        """)
  }

  @Test func eachDistributionOfAFamilyHasItsLabels() {
    var histogram = Histogram([1])
    histogram.observe(1)
    var text = MetricsText()
    text.add("x_seconds", "Help.", [("a=\"b\"", histogram)])
    #expect(
      text.text == """
        # HELP x_seconds Help.
        # TYPE x_seconds histogram
        x_seconds_bucket{a="b",le="1"} 1
        x_seconds_bucket{a="b",le="+Inf"} 1
        x_seconds_sum{a="b"} 1
        x_seconds_count{a="b"} 1

        """)
  }

  @Test func labelsCannotBreakTheirQuotes() {
    #expect(MetricsText.label("a", "x\"y\\z\nw") == #"a="x\"y\\z\nw""#)
    // To Swift each of these is one character with what follows or precedes it.
    #expect(MetricsText.label("a", "x\r\ny") == "a=\"x\r\\ny\"")
    #expect(MetricsText.label("a", "\"\u{301}") == "a=\"\\\"\u{301}\"")
    #expect(MetricsText.label("a", "\\\u{301}") == "a=\"\\\\\u{301}\"")
  }
}
