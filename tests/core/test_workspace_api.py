"""Environments, SSH keys and certificates, secrets, templates."""

import pytest

import runcrate_core as rc
from tests.core.cloud import respond, sent

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me"


def test_an_environment_is_made_changed_and_deleted(cloud, both):
    made = both("environments.create", name="staging")
    assert [found.name for found in both("environments.list")] == ["main", "staging"]
    assert both("environments.update", made.id, name="production").name == "production"
    assert both("environments.get", made.id).monthly_budget_usd is None
    assert both("environments.delete", made.id) is None
    with pytest.raises(rc.NotFoundError):
        both("environments.get", made.id)
    made = both("environments.create", name="other")
    assert both("environments.update", made.id, is_default=True).is_default
    [request] = sent(cloud, f"PATCH /environments/{made.id}")
    assert request.json == {"is_default": True}


def test_a_client_sees_its_own_environment_alone_and_creates_in_it(cloud, both):
    both("environments.create", name="staging")
    launched = both("instances.create", gpu_type="A100", max_runtime_minutes=10)
    assert [found.id for found in both("instances.list")] == [launched.id]
    both.client = both.client.with_options(environment="staging")
    assert both("instances.list") == []
    both("storage.create", name="d", size_gb=1, region="us-east-1")
    [request] = sent(cloud, "POST /storage")
    assert request.headers["idempotency-key"]
    assert request.query["environment"] == ("staging",)


def test_an_ssh_key_is_added_once_and_deleted(both):
    key = both("ssh_keys.create", name="my-laptop", public_key=PUBLIC_KEY)
    assert key.fingerprint.startswith("SHA256:")
    assert (key.type, key.last_used) == ("ssh-ed25519", None)
    assert both("ssh_keys.list") == [key]
    with pytest.raises(rc.ConflictError):
        both("ssh_keys.create", name="again", public_key=PUBLIC_KEY)
    both("ssh_keys.delete", key.id)
    assert both("ssh_keys.list") == []


def test_a_certificate_tells_where_to_log_in(both):
    launched = both("instances.create", gpu_type="A100", max_runtime_minutes=10)
    both("instances.wait_until_running", launched.id, poll_interval=0.05)
    certificate = both("instances.issue_ssh_certificate", launched.id, public_key=PUBLIC_KEY)
    assert certificate.certificate
    assert (certificate.user, certificate.port) == ("root", 22)


def test_templates_are_paged_searched_and_sorted(cloud, both):
    page = both("templates.list", page_size=3)
    assert (len(page), page.total, page.has_more, page.cursor) == (3, 8, True, None)
    found = both.page_values(page)
    assert len({template.id for template in found}) == 8
    assert found[:3] == page.data
    pages = [request.query["page"] for request in sent(cloud, "GET /templates")]
    assert pages == [("1",), ("2",), ("3",)]
    [first, *_] = both.values("templates.list", sort_by="name", sort_dir="desc")
    assert both("templates.list", search=first.name, page=1)[0] == first
    assert both("templates.list", category="no such category").data == []


def test_secrets_have_names_and_no_values(cloud, both):
    secret = {"key": "HF_TOKEN", "sensitive": True, "updated_at": None, "value": "hidden"}
    respond(cloud, "GET /secrets", [secret])
    [found] = both("secrets.list")
    assert (found.key, found.sensitive, found.updated_at) == ("HF_TOKEN", True, None)
    assert "hidden" not in repr(found.to_dict())
