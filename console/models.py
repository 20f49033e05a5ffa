"""People: users, the organisations that use models, and who belongs to which."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from console.access_key import AccessKey, IdempotentCall
from console.audit.entry import AuditEntry, AuditHead
from console.notices.rows import Delivery, Notice, Subscription
from console.organizations.invitation import Invitation

__all__ = [
    "AccessKey",
    "AuditEntry",
    "AuditHead",
    "Delivery",
    "IdempotentCall",
    "Invitation",
    "Membership",
    "Notice",
    "Organization",
    "Subscription",
    "User",
    "UserManager",
]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **facts: object) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **facts)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **facts: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **facts)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail. Roles on the platform are groups; roles in an organisation are memberships."""

    email = models.EmailField(unique=True, max_length=254)
    name = models.CharField(max_length=150)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now)
    session_epoch = models.PositiveIntegerField(default=0, editable=False)
    """Raised to end every session at once (console.sessions)."""

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_ignores_case")]
        default_permissions = ()
        permissions = [
            ("view_platform", "See the console"),
            ("manage_catalog", "Change providers and models"),
            ("manage_clusters", "Change clusters and endpoints"),
            ("manage_deployments", "Deploy, change, stop and delete"),
            ("share_deployments", "Share deployments with organisations"),
            ("manage_prices", "Set prices and limits"),
            ("manage_organizations", "Change organisations and people"),
            ("view_usage", "See usage and cost of everyone"),
            ("view_audit", "See who changed what"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What every session carries and is held against at each request: the password, and the epoch."""
        return salted_hmac(
            "console.models.User.get_session_auth_hash",
            f"{self.session_epoch}:{self.password}",
            secret=secret,
            algorithm="sha256",
        ).hexdigest()

    @property
    def audit_name(self) -> str:
        return self.email

    @property
    def initials(self) -> str:
        words = (self.name or self.email).split()
        return (words[0][:1] + (words[-1][:1] if len(words) > 1 else words[0][1:2])).upper()


class Organization(models.Model):
    """A tenant."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")
    suspended_at = models.DateTimeField(null=True, blank=True)
    """No gateway takes its keys from then on; null: it is active."""
    suspended_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    suspension_reason = models.CharField(max_length=300, blank=True)
    """Told to its members."""

    class Meta:
        ordering = ["name"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person in one organisation."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        MEMBER = "member", "Member"

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="membership_once")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}"
