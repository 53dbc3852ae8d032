"""The doors through which people reach us. They ask and show; they decide nothing about tasks."""
