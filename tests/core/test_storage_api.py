"""Volumes and their regions: from creation to refund."""

from decimal import Decimal

import pytest

import runcrate_core as rc


def test_a_volume_is_made_found_resized_and_deleted(both):
    volume = both("storage.create", name="datasets", size_gb=100, region="us-east-1")
    assert (volume.name, volume.size_gb, volume.recovered) == ("datasets", 100, False)
    assert volume.created_at is not None
    assert volume.created_at.tzinfo is not None
    assert both("storage.get", volume.id) == volume
    assert both("storage.list", search="data") == [volume]
    assert both("storage.list", search="other") == []
    assert both("storage.resize", volume.id, 200).size_gb == 200
    assert both("storage.resize", volume.id, size_gb=300).size_gb == 300
    regions = both("storage.list_regions")
    assert ("us-east-1", "aws-s3") in {(region.id, region.provider) for region in regions}
    assert all(region.name for region in regions)
    deletion = both("storage.delete", volume.id)
    assert isinstance(deletion.refund_amount, Decimal)
    assert deletion.refund_amount > 0
    with pytest.raises(rc.NotFoundError):
        both("storage.get", volume.id)
