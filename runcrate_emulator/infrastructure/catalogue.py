"""Rentable hardware and regions.

The prices of A100, H100, two H100s, H200, RTX 4090, two RTX PRO 6000 and CPU were seen on
the service in 2026. Every other price, all sizes, regions and ids are the emulator's own.
"""

from dataclasses import dataclass
from decimal import Decimal

CPU = "CPU"


@dataclass(frozen=True)
class Region:
    """A place where instances and volumes are."""

    id: str
    city: str
    country: str

    def answers_to(self, name: str) -> bool:
        """True if a region id, the start of one, a city or a country means this region."""
        wanted = name.casefold()
        starts = self.id.startswith(wanted) and self.id[len(wanted) :][:1] in ("", "-")
        return starts or wanted in (self.city.casefold(), self.country.casefold())


REGIONS = (
    Region("us-east-1", "Ashburn", "United States"),
    Region("us-west-1", "San Jose", "United States"),
    Region("eu-west-1", "Paris", "France"),
    Region("eu-north-1", "Helsinki", "Finland"),
)


@dataclass(frozen=True)
class InstanceType:
    """One kind of instance in one region, at one price."""

    id: str
    gpu_type: str
    gpu_count: int
    gpu_memory_gb: int
    cpu_cores: int
    memory_gb: int
    storage_gb: int
    region: Region
    hourly_rate: Decimal
    deployment_type: str = "vm"

    def is_called(self, gpu_type: str) -> bool:
        """True if a name means this GPU: in any case, and `H100` also means `H100-SXM`."""
        ours, wanted = self.gpu_type.casefold(), gpu_type.casefold()
        return ours == wanted or ours.startswith(wanted + "-")


# Columns: id, GPU, how many, GB of each, CPU cores, GB of memory and of disk, region, USD per hour.
_TABLE = """
quiet-heron-cpu-8a41          CPU              0       0      8      32      100  us-east-1     0.39
brisk-otter-a4000-51c2        A4000            1      16      8      32      200  eu-west-1     0.28
amber-falcon-rtx4090-7d03     RTX4090          1      24     16      64      400  us-east-1     0.66
copper-finch-rtx4090x2-2b9e   RTX4090          2      24     32     128      800  us-east-1     1.32
silver-lynx-l40s-0f6a         L40S             1      48     16      96      500  us-east-1     0.99
gentle-crane-rtxpro6000-93e7  RTX-PRO-6000     1      96     24     128      750  us-west-1     1.97
proud-ibis-rtxpro6000x2-4c1d  RTX-PRO-6000     2      96     48     256     1500  us-west-1     3.94
calm-raven-a100-1e58          A100             1      40     16     120      500  us-east-1     1.49
noble-stork-a100-80gb-6aa0    A100-80GB        1      80     24     160      750  us-east-1     1.79
merry-wolf-a100-80gbx2-b7f4   A100-80GB        2      80     48     320     1500  eu-west-1     3.58
vivid-hawk-h100-c20d          H100             1      80     24     180     1000  eu-north-1    1.54
bold-tiger-h100-sxm-38be      H100-SXM         1      80     26     200     1000  us-east-1     3.00
bold-tiger-h100-sxmx2-38bf    H100-SXM         2      80     52     400     2000  us-east-1     6.69
wise-orca-h200-e914           H200             1     141     28     240     1500  us-west-1     4.85
keen-bison-h200-e915          H200             1     141     28     240     1500  eu-north-1    4.92
royal-eagle-b200x8-f001       B200             8     180    192    2000     8000  us-east-1    47.60
"""


def _instance_type(row: str) -> InstanceType:
    id_, gpu_type, *sizes, region_id, hourly_rate = row.split()
    region = next(place for place in REGIONS if place.id == region_id)
    count, gpu_gb, cores, memory_gb, disk_gb = map(int, sizes)
    usd = Decimal(hourly_rate)
    return InstanceType(id_, gpu_type, count, gpu_gb, cores, memory_gb, disk_gb, region, usd)


INSTANCE_TYPES = tuple(map(_instance_type, _TABLE.strip().splitlines()))

FIRST_SOLD_OUT = frozenset({"B200"})
"""Listed but never in stock, as observers say of the service: the types are the whole catalogue,
whatever the stock. Tests change `World.sold_out`."""
