import LociBase
import LociModel

/// The pages of a field that live on one shard, numbered without gaps in the order of the field, so
/// that a scan of the field is a scan of these numbers.
struct ShardPages: Sendable {
    private let geometry: FieldGeometry
    private let pageCount: UInt64
    /// Ascending.
    private let partitions: [PartitionIndex]
    /// Of each partition of the cluster that lives here, its place in `partitions`.
    private let places: [PartitionIndex: UInt64]

    init(_ field: IndexedField, partitions: [PartitionIndex]) {
        geometry = field.geometry
        pageCount = field.definition.pageCount
        self.partitions = partitions.sorted()
        places = Dictionary(
            uniqueKeysWithValues: self.partitions.enumerated().map { ($1, UInt64($0)) })
    }

    /// Nil if the page lives elsewhere.
    func number(of address: PageAddress) -> UInt64? {
        guard let place = places[address.partition] else { return nil }
        let (row, pageOfStripe) = address.page.quotientAndRemainder(
            dividingBy: geometry.pagesPerStripe)
        return (row * UInt64(partitions.count) + place) * geometry.pagesPerStripe + pageOfStripe
    }

    /// Nil if the field has no such page.
    func address(of number: UInt64) -> PageAddress? {
        let (stripe, pageOfStripe) = number.quotientAndRemainder(
            dividingBy: geometry.pagesPerStripe)
        let (row, place) = stripe.quotientAndRemainder(dividingBy: UInt64(partitions.count))
        let (start, overflow) = row.multipliedReportingOverflow(by: geometry.pagesPerStripe)
        guard !overflow, start <= pageCount else { return nil }
        let address = PageAddress(
            space: geometry.space, partition: partitions[Int(place)], page: start + pageOfStripe)
        return geometry.page(at: address) < pageCount ? address : nil
    }
}
