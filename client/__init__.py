"""Drums from a server: `RemoteDrummer("localhost:50051").accompany("song.mid").save("drums.mid")`."""
