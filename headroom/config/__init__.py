"""What people write: params.yaml, task files, methods; read and checked."""
