/// What prefetching did to a stream of requests.
public struct PrefetchResult: Equatable, Sendable {
    public var requests = 0
    /// Requests for pages that were not there, without prefetching.
    public var missesWithout = 0
    /// With prefetching: requests for pages that were neither there nor on their way.
    public var misses = 0
    /// Fetches that were begun because of a prediction; predictions of pages that were there or
    /// on their way are none.
    public var issued = 0
    /// Of these, pages that were there when they were first asked for, and pages that were still
    /// on their way.
    public var used = 0
    public var late = 0
    /// Pages that left without having been asked for.
    public var wasted = 0
    /// Predictions that were not fetched: no room in the queue, or asked for before it began.
    public var dropped = 0
    /// Requests that missed without prefetching and found their page there or on its way with it.
    public var avoided = 0
    /// Requests that missed only because of prefetching.
    public var caused = 0
    public var modelledNanosecondsWithout: UInt64 = 0
    public var modelledNanoseconds: UInt64 = 0

    /// Share of what was issued that was asked for, in the end; 1 if nothing was issued.
    public var precision: Double { issued == 0 ? 1 : Double(used + late) / Double(issued) }

    /// Share of what was issued that nobody asked for, to the end of the stream.
    public var waste: Double { 1 - precision }

    /// Share of the misses without prefetching that found their page there or, late, on its way.
    public var coverage: Double {
        missesWithout == 0 ? 0 : Double(avoided) / Double(missesWithout)
    }

    /// Share of all requests whose page was there or on its way because of a prediction.
    public var usefulRecall: Double {
        requests == 0 ? 0 : Double(used + late) / Double(requests)
    }

    /// Share of the useful fetches that were done in time; 1 if there were none.
    public var timeliness: Double {
        used + late == 0 ? 1 : Double(used) / Double(used + late)
    }

    /// Extra misses as a share of the misses there were without.
    public var pollution: Double {
        missesWithout == 0 ? 0 : Double(caused) / Double(missesWithout)
    }

    public var hitRatioWithout: Double { 1 - Double(missesWithout) / Double(max(requests, 1)) }

    /// Of requests whose page was there; one that was still on its way is none, so this compares
    /// with `hitRatioWithout`, and `coverage` does not.
    public var hitRatio: Double { 1 - Double(misses + late) / Double(max(requests, 1)) }

    /// Bytes fetched because of predictions for each byte asked for; infinite if none was.
    public var bytesPerUsedByte: Double {
        issued == 0 ? 1 : Double(issued) / Double(used + late)
    }

    /// Modelled time with prefetching for one without; 1 if nothing was modelled.
    public var modelledTimeRatio: Double {
        modelledNanosecondsWithout == 0
            ? 1 : Double(modelledNanoseconds) / Double(modelledNanosecondsWithout)
    }
}
