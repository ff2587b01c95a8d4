import LociBase
import LociModel

/// Requests for pages that are answered together: those in segments in one batch of reads, those of
/// one extent with one look at it.
struct ReadBatch {
    /// A page as it was found first.
    private struct Place {
        let index: Int
        let segment: Segment
        let sum: PageSum
    }

    private let requests: [PageRequest]
    private let store: SliceStore

    init(_ requests: [PageRequest], of store: SliceStore) {
        self.requests = requests
        self.store = store
    }

    func answers(into memory: any PageMemory) -> [PageAnswer] {
        var answers: [PageAnswer?] = Array(repeating: nil, count: requests.count)
        var warm: [Place] = []
        var cold: [ExtentAddress: [Place]] = [:]
        for (index, request) in requests.enumerated() {
            do throws(StorageError) {
                let partition = store.store(request.address.partition)
                try partition.checkFailure()
                switch try partition.locate(
                    PageName(request.address), pageBytes: request.pageBytes)
                {
                case .buffered(let image): answers[index] = .loaded(image, from: .dram)
                case .nowhere:
                    answers[index] = .loaded(Bytes(zeros: request.pageBytes), from: .dram)
                case .segment(let segment, let sum):
                    let place = Place(index: index, segment: segment, sum: sum)
                    if !sum.isCold, request.slowest < .ssd {
                        answers[index] = .skipped(.ssd)
                    } else if !sum.isCold {
                        warm.append(place)
                    } else if request.slowest < .hdd {
                        answers[index] = .skipped(.hdd)
                    } else {
                        let extent = ExtentAddress(
                            of: request.address, pageBytes: request.pageBytes)
                        cold[extent, default: []].append(place)
                    }
                }
            } catch {
                answers[index] = .failed(error)
            }
        }
        read(warm, into: memory, &answers)
        for (extent, places) in cold { read(places, of: extent, into: memory, &answers) }
        return answers.map { $0! }
    }

    private func read(
        _ places: [Place], into memory: any PageMemory, _ answers: inout [PageAnswer?]
    ) {
        if places.isEmpty { return }
        let reads = places.map { place in
            let request = requests[place.index]
            return PagedRead(
                file: place.segment.file,
                offset: place.segment.name.layout.offset(of: request.address.page),
                count: request.pageBytes)
        }
        for (place, image) in zip(places, store.fileSystem.readPaged(reads, into: memory)) {
            answers[place.index] = answer(place, image, into: memory)
        }
    }

    private func read(
        _ places: [Place], of extent: ExtentAddress, into memory: any PageMemory,
        _ answers: inout [PageAnswer?]
    ) {
        let pageBytes = requests[places[0].index].pageBytes
        store.extents?.countReads(places.count, of: extent, pageBytes: pageBytes)
        let images = store.store(extent.partition).coldPages(
            places.map { (requests[$0.index].address.page, $0.sum) }, of: extent,
            pageBytes: pageBytes, into: memory)
        for (place, image) in zip(places, images) {
            answers[place.index] = answer(place, image, into: memory)
        }
    }

    /// What does not fit may have moved since it was located, and is looked for again.
    private func answer(
        _ place: Place, _ image: Result<Bytes, StorageError>, into memory: any PageMemory
    ) -> PageAnswer {
        let request = requests[place.index]
        let partition = store.store(request.address.partition)
        let page = PageName(request.address)
        do throws(StorageError) {
            do throws(StorageError) {
                let bytes = try image.get()
                if partition.fits(bytes, place.sum, page) {
                    return .loaded(bytes, from: place.sum.isCold ? .hdd : .ssd)
                }
            } catch {
                if !error.isDamage { throw error }
            }
            return try partition.read(
                page, pageBytes: request.pageBytes, slowest: request.slowest, into: memory)
        } catch {
            return .failed(error)
        }
    }
}
