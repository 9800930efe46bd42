import os

from fastapi.testclient import TestClient

ADA = {"name": "Ada Lovelace", "email": "ada@example.com"}


def test_create_read_list_delete(client: TestClient) -> None:
    made = client.post("/contacts", json=ADA)
    assert made.status_code == 201
    contact = made.json()
    assert contact["name"] == ADA["name"]

    assert client.get(f"/contacts/{contact['id']}").json() == contact
    assert client.get("/contacts").json() == [contact]

    assert client.delete(f"/contacts/{contact['id']}").status_code == 204
    assert client.get(f"/contacts/{contact['id']}").status_code == 404
    assert client.delete(f"/contacts/{contact['id']}").status_code == 204


def test_an_address_exists_once(client: TestClient) -> None:
    assert client.post("/contacts", json=ADA).status_code == 201
    assert client.post("/contacts", json=ADA).status_code == 409


def test_bad_input_is_refused(client: TestClient) -> None:
    for bad in ({"name": "", "email": "a@b"}, {"name": "x", "email": "no address"}, {}):
        assert client.post("/contacts", json=bad).status_code == 422


def test_the_second_read_comes_from_the_cache(client: TestClient) -> None:
    contact = client.post("/contacts", json=ADA).json()
    path = f"/contacts/{contact['id']}"
    assert client.get(path).headers["X-Cache"] == "miss"
    expected = "hit" if os.environ.get("TEST_REDIS_URL") else "miss"
    again = client.get(path)
    assert again.headers["X-Cache"] == expected
    assert again.json() == contact


def test_without_a_database_the_answer_says_so(bare_client: TestClient) -> None:
    answer = bare_client.get("/contacts")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "no database is configured"
